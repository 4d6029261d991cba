// Package c holds the SDK for plugins in C, one header, for the tools that
// copy it into an author's folder.
package c

import _ "embed"

//go:embed octopus.h
var header string

// Header is octopus.h.
func Header() string { return header }
