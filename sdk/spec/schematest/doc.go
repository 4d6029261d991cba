// Package schematest holds the tests of spec that need a schema compiler; spec
// itself, tests included, is standard library only.
package schematest
