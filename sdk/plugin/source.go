//go:build !wasip1

package plugin

import _ "embed"

//go:embed plugin.go
var source string

// Source is the text of this package's one file, for tools that copy it into
// an author's folder. Plugins themselves do not carry it.
func Source() string { return source }
