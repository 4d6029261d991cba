package store

// Limits of a page of a list.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Page asks for a part of a list. The zero value is the first page in the list's natural order: names ascending,
// executions and runs oldest first.
type Page struct {
	Limit      int    // 0 is DefaultLimit; at most MaxLimit
	Cursor     string // opaque, from the page before; "" is the first
	Descending bool
}
