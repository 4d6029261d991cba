package store

import (
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// dialect is what differs between the databases, apart from how they are opened.
type dialect struct {
	name       string
	goose      goose.Dialect
	migrations string // folder in the embedded files
	numbered   bool   // parameters are $1, $2 … and not ?
	begin      string
	clockSQL   string // asks the database for the time in microseconds; "" uses ours
	skipLocked string // ends a SELECT whose rows another server may be claiming
	forUpdate  string // ends a SELECT whose rows stay as they are until the transaction ends
	versionSQL string
	sizeSQL    string
}

var sqlite = &dialect{
	name: "sqlite", goose: goose.DialectSQLite3, migrations: "migrations/sqlite",
	begin:      "BEGIN IMMEDIATE",
	versionSQL: "SELECT sqlite_version()",
	sizeSQL:    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
}

var postgres = &dialect{
	name: "postgres", goose: goose.DialectPostgres, migrations: "migrations/postgres",
	numbered:   true,
	begin:      "BEGIN",
	clockSQL:   "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
	skipLocked: " FOR UPDATE SKIP LOCKED",
	forUpdate:  " FOR UPDATE",
	versionSQL: "SHOW server_version",
	sizeSQL:    "SELECT pg_database_size(current_database())",
}

// rebind turns ? into $1, $2 … where the database wants that. Our SQL has no ? in literals.
func (d *dialect) rebind(query string) string {
	if !d.numbered {
		return query
	}
	var b strings.Builder
	b.Grow(len(query) + 32)
	n := 0
	for i := range len(query) {
		if query[i] != '?' {
			b.WriteByte(query[i])
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// marks returns n parameter marks: "?, ?, ?".
func marks(n int) string {
	if n <= 0 {
		return "NULL" // IN (NULL) matches nothing
	}
	return strings.Repeat("?, ", n-1) + "?"
}
