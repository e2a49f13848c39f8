package wire

import "github.com/topgunbuild/topgun-go/internal/core/hlc"

// ORMapSyncInit starts the synchronisation of an OR map.
//
//wire:message ORMAP_SYNC_INIT flat c2s
type ORMapSyncInit struct {
	MapName           string  `wire:"mapName"`
	RootHash          uint32  `wire:"rootHash"`
	BucketHashes      Buckets `wire:"bucketHashes"`                // of depth 1
	LastSyncTimestamp int64   `wire:"lastSyncTimestamp,omitempty"` // epoch ms
	ClaimedEpoch      int64   `wire:"claimedEpoch,omitempty"`      // the epoch that the client has confirmed
}

// ORMapSyncRespRoot gives the root of the map's Merkle tree.
//
//wire:message ORMAP_SYNC_RESP_ROOT payload s2c
type ORMapSyncRespRoot struct {
	MapName       string        `wire:"mapName"`
	RootHash      uint32        `wire:"rootHash"`
	Timestamp     hlc.Timestamp `wire:"timestamp"`
	CoveringEpoch int64         `wire:"coveringEpoch,omitempty"` // the epoch whose tombstones this covers
	FullResync    bool          `wire:"fullResync,omitempty"`    // the client drops its copy first
}

// ORMapMerkleReqBucket asks for the node of the tree at a path of hex digits.
//
//wire:message ORMAP_MERKLE_REQ_BUCKET payload c2s
type ORMapMerkleReqBucket struct {
	MapName string `wire:"mapName"`
	Path    string `wire:"path"` // "" is the root, three digits a leaf
}

// ORMapSyncRespBuckets gives the children of an inner node. Digits that only
// the client may have are listed with hash 0 above depth 2, so that it descends.
//
//wire:message ORMAP_SYNC_RESP_BUCKETS payload s2c
type ORMapSyncRespBuckets struct {
	MapName string  `wire:"mapName"`
	Path    string  `wire:"path"` // as requested
	Buckets Buckets `wire:"buckets"`
}

// ORMapSyncRespLeaf gives the entries below a leaf. The client answers with
// ORMAP_PUSH_DIFF.
//
//wire:message ORMAP_SYNC_RESP_LEAF payload s2c
type ORMapSyncRespLeaf struct {
	MapName       string       `wire:"mapName"`
	Path          string       `wire:"path"` // as requested
	Entries       []ORMapEntry `wire:"entries"`
	CoveringEpoch int64        `wire:"coveringEpoch,omitempty"`
}

// ORMapEntry is the state of one key. Tombstones may name tags of other keys;
// records may be empty while tombstones are not. In a decoded message an entry
// with a problem carries it in Invalid and is to be left out.
//
//wire:tolerant
type ORMapEntry struct {
	Key        string     `wire:"key,key"`
	Records    []ORRecord `wire:"records"`
	Tombstones []string   `wire:"tombstones"` // tags

	Invalid *DecodeError `wire:"-"`
}

// ORMapDiffRequest asks for the entries of some keys.
//
//wire:message ORMAP_DIFF_REQUEST payload c2s
type ORMapDiffRequest struct {
	MapName string   `wire:"mapName"`
	Keys    []string `wire:"keys,key"`
}

// ORMapDiffResponse gives one entry for each key that was asked for.
//
//wire:message ORMAP_DIFF_RESPONSE payload s2c
type ORMapDiffResponse struct {
	MapName       string       `wire:"mapName"`
	Entries       []ORMapEntry `wire:"entries"`
	CoveringEpoch int64        `wire:"coveringEpoch,omitempty"`
}

// ORMapPushDiff gives the server what the client has. There is no reply.
//
//wire:message ORMAP_PUSH_DIFF payload c2s
type ORMapPushDiff struct {
	MapName string       `wire:"mapName"`
	Entries []ORMapEntry `wire:"entries"`
}

// ClientApplyAck confirms that the client durably applied what it received up
// to an epoch. There is no reply.
//
//wire:message CLIENT_APPLY_ACK flat c2s
type ClientApplyAck struct {
	Cursor int64 `wire:"cursor"` // an epoch
}
