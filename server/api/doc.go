// Package api is the REST API under /api/v1: routes.go is its table of contents, and each resource has a file.
//
// Handlers translate between sdk's JSON types and the words of internal/octopus, ask auth whether the caller may,
// and leave the work to dispatch, catalog and store. The bodies are described by huma, so that validation and
// docs/openapi.json come from one place. Errors are application/problem+json and never repeat what was sent.
package api
