package wire

import "github.com/topgunbuild/topgun-go/internal/core/hlc"

// SyncInit starts the synchronisation of an LWW map. It is answered by exactly
// one SYNC_RESP_ROOT or SYNC_RESET_REQUIRED.
//
//wire:message SYNC_INIT flat c2s
type SyncInit struct {
	MapName           string `wire:"mapName"`
	LastSyncTimestamp int64  `wire:"lastSyncTimestamp,omitempty"` // epoch ms; 0 the first time
}

// SyncRespRoot gives the root of the map's Merkle tree, 0 for an unknown map.
//
//wire:message SYNC_RESP_ROOT payload s2c
type SyncRespRoot struct {
	MapName   string        `wire:"mapName"`
	RootHash  uint32        `wire:"rootHash"`
	Timestamp hlc.Timestamp `wire:"timestamp"`

	// Epoch is the server's history: another one than before means that it was
	// restored, and that it may lack what the client has seen acknowledged.
	Epoch int64 `wire:"epoch,omitempty"`
}

// MerkleReqBucket asks for the node of the tree at a path of hex digits.
//
//wire:message MERKLE_REQ_BUCKET payload c2s
type MerkleReqBucket struct {
	MapName string `wire:"mapName"`
	Path    string `wire:"path"` // "" is the root, three digits a leaf
}

// SyncRespBuckets gives the children of an inner node.
//
//wire:message SYNC_RESP_BUCKETS payload s2c
type SyncRespBuckets struct {
	MapName string  `wire:"mapName"`
	Path    string  `wire:"path"` // as requested
	Buckets Buckets `wire:"buckets"`
}

// SyncRespLeaf gives all records below a leaf, tombstones included.
//
//wire:message SYNC_RESP_LEAF payload s2c
type SyncRespLeaf struct {
	MapName string        `wire:"mapName"`
	Path    string        `wire:"path"` // as requested
	Records []KeyedRecord `wire:"records"`
}

// KeyedRecord is the record of a key.
type KeyedRecord struct {
	Key    string    `wire:"key,key"`
	Record LWWRecord `wire:"record"`
}

// SyncResetRequired makes the client drop its copy of an LWW map and start
// again. It is not for OR maps: see FullResync of ORMapSyncRespRoot.
//
//wire:message SYNC_RESET_REQUIRED payload s2c
type SyncResetRequired struct {
	MapName string `wire:"mapName"`
	Reason  string `wire:"reason,text"`
}
