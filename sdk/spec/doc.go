// Package spec is the plugin contract, version 1, as Go types: what a plugin
// is asked (Request), what it answers (Response), and what it says of itself
// (Manifest). The same contract as JSON Schema is in Schemas.
//
// It imports the standard library only, so that a tool outside Octopus can
// use it. Decoding is strict: everything here reads what others wrote.
package spec

import "embed"

// Schemas holds request.schema.json, response.schema.json and
// manifest.schema.json (JSON Schema 2020-12).
//
//go:embed *.schema.json
var Schemas embed.FS

// ABI is the version of the guest interface that this package describes.
const ABI = 1

// ManifestSchema is the value of a manifest's "schema" field.
const ManifestSchema = "octopus.plugin/v1"
