package partition

// Count is the number of partitions. It is fixed by the protocol.
const Count = 271

// ID numbers a partition, 0 to Count-1.
type ID uint16

// Of returns the partition of a key, given the hash.Key of the key. Locks,
// counters and topics are placed by the hash of their name.
func Of(keyHash uint32) ID { return ID(keyHash % Count) }
