package store

// OnDisk returns options for a SQLite database on a registered VFS, with another synchronous setting than "full"
// where one is given. syncDir makes the names in a folder of that VFS durable.
func (o Options) OnDisk(vfs, synchronous string, syncDir func(string) error) Options {
	o.files.vfs, o.files.synchronous, o.files.syncDir = vfs, synchronous, syncDir
	return o
}

// Full replaces the look at whether the disk has space after a write failed.
func (o Options) Full(isFull func(database string) bool) Options {
	o.files.isFull = isFull
	return o
}
