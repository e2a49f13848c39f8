// Package embedded is the backing store on the local disk: sorted tables kept
// by pebble, with pebble's own log switched off.
//
// A checkpoint never passes through pebble's memtable. Apply writes its rows
// into sorted tables of its own and the mark into one more, syncs them, and has
// pebble ingest all of them at once: pebble links the files into its directory,
// syncs the directory, then appends one edit to its manifest and syncs that.
// The edit is what makes the checkpoint visible and durable, in this order:
// tables, directory, manifest, readers. Since the memtable stays empty, no
// ingest ever waits for a flush and switching the log off can lose nothing.
//
// Three things stand between pebble and this package's promises:
//
//   - The fence. Pebble cannot live with a failed write of its manifest, or a
//     failed sync of its directory. All its files therefore go through a fence
//     that shuts at the first such failure: from then on the instance carries
//     on in memory, for its readers, and nothing that it does reaches the disk.
//     The next Apply opens a fresh instance.
//   - Settling. What pebble reads from its manifest at open may sit in the page
//     cache only, left there by a process that was killed before its sync.
//     settle makes it durable before pebble acts on it.
//   - The scheduler. Pebble retries a failed compaction at once and for ever.
//     The scheduler holds compactions back until the next checkpoint instead,
//     and it is what Apply waits on when compactions fall behind.
//
// The bytes are described in docs/format/store.md.
package embedded
