// Package assemblyscript holds the SDK for plugins in AssemblyScript, one
// file, for the tools that copy it into an author's folder.
package assemblyscript

import _ "embed"

//go:embed octopus.ts
var source string

// Source is octopus.ts.
func Source() string { return source }
