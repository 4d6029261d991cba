// Package rust holds the SDK for plugins in Rust, one file, for the tools
// that copy it into an author's folder.
package rust

import _ "embed"

//go:embed octopus.rs
var source string

// Source is octopus.rs.
func Source() string { return source }
