package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// EntryProcess asks the server to run code on one record.
//
//wire:message ENTRY_PROCESS flat c2s
type EntryProcess struct {
	RequestID string    `wire:"requestId"`
	MapName   string    `wire:"mapName"`
	Key       string    `wire:"key,key"`
	Processor Processor `wire:"processor"`
}

// Processor is code that computes a record's next value.
type Processor struct {
	Name string    `wire:"name"`
	Code string    `wire:"code,text"` // JavaScript
	Args value.Raw `wire:"args,omitempty"`
}

// EntryProcessResponse answers ENTRY_PROCESS.
//
//wire:message ENTRY_PROCESS_RESPONSE flat s2c
type EntryProcessResponse struct {
	RequestID string    `wire:"requestId"`
	Success   bool      `wire:"success"`
	Result    value.Raw `wire:"result,omitempty"`
	NewValue  value.Raw `wire:"newValue,omitempty"`
	Error     string    `wire:"error,omitempty,text"`
}

// EntryProcessBatch asks the server to run code on several records.
//
//wire:message ENTRY_PROCESS_BATCH flat c2s
type EntryProcessBatch struct {
	RequestID string    `wire:"requestId"`
	MapName   string    `wire:"mapName"`
	Keys      []string  `wire:"keys,key"`
	Processor Processor `wire:"processor"`
}

// EntryProcessBatchResponse answers ENTRY_PROCESS_BATCH.
//
//wire:message ENTRY_PROCESS_BATCH_RESPONSE flat s2c
type EntryProcessBatchResponse struct {
	RequestID string         `wire:"requestId"`
	Results   ProcessResults `wire:"results"`
}

// ProcessResult is the outcome for one record.
type ProcessResult struct {
	Success  bool      `wire:"success"`
	Result   value.Raw `wire:"result,omitempty"`
	NewValue value.Raw `wire:"newValue,omitempty"`
	Error    string    `wire:"error,omitempty,text"`
}

// ProcessResults are the outcomes by key.
//
//wire:codec {key: ProcessResult}
type ProcessResults []KeyedResult

// KeyedResult is the outcome for a key.
type KeyedResult struct {
	Key    string
	Result ProcessResult
}

func (p *ProcessResults) decode(d *decoder) {
	n := d.object(d.lim.Items)
	if d.Err() != nil {
		return
	}
	out := make(ProcessResults, n)
	for i := range out {
		out[i].Key = d.str(d.lim.KeyBytes)
		out[i].Result.decode(d)
		if d.Err() != nil {
			d.at(out[i].Key)
			return
		}
	}
	*p = out
}

func (p *ProcessResults) appendTo(dst []byte) []byte {
	dst = value.AppendMap(dst, len(*p))
	for i := range *p {
		dst = value.AppendStr(dst, (*p)[i].Key)
		dst = (*p)[i].Result.appendTo(dst)
	}
	return dst
}
