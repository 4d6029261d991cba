// Package powercut is a disk in memory whose power can be cut, for tests of what must survive that.
//
// kill -9 does not test a sync: the page cache survives it. This disk keeps a log of everything that was done to
// it. Cut replays the log up to any point and makes the disk that a machine would find after losing power there:
//
//   - bytes that were synced are there;
//   - of other writes and truncations any part may be there, in sectors of 512 or 4,096 bytes, in any order, and
//     torn within a sector; space that a file grew by may hold zeros or garbage;
//   - a name that was made, renamed or removed is so for sure only after its folder was synced; of what was not, a
//     folder keeps some first part, so that names are lost in the order in which they came. A rename is whole or
//     not at all;
//   - bytes beside a write stay as they were ("power-safe overwrite", which SQLite and file systems assume).
//
// That is what POSIX allows, and more than most file systems do: ext4 writes a new file's name with its fsync. What
// holds here holds on all of them.
//
// A failed sync (Fail) drops what it could not write, and the next one succeeds, as on Linux.
//
// As points in time serve the lengths of the log: what Len said before an operation was asked for, and after it was
// answered, says for every cut whether it must, may or must not be there.
package powercut
