// Package store is the database of Octopus: one set of domain operations on two databases, SQLite and PostgreSQL.
//
// Each exported method is one transaction. Writes go through one writer goroutine that commits what queued while
// the previous commit was syncing, so that many callers share one sync; a caller is answered after its commit.
// Errors that a person may read are [octopus.Error]; everything else is wrapped with a noun phrase.
package store
