package wire

// Version is the version of the protocol. It grows when the schema changes in a
// way that a peer can notice.
const Version = 1

// VersionSchema is the fingerprint of the schema that Version stands for. A
// test compares it with the fingerprint of the structs as they are.
const VersionSchema = "999e78ea8e95416d"
