// Package backup copies the server's SQLite database into files that can be trusted, and puts one back.
//
// A backup is two files: NAME, a SQLite database as it was at one moment, and NAME.json, its manifest with size and
// SHA-256. The manifest is written last: without it a backup is not complete. PostgreSQL has tools of its own; what
// is to be done after one of them put a database back is done by [InPlace].
package backup
