// Package octopus holds the words of the product: entities, identifiers, states, error codes and selectors.
//
// It is the leaf that every other package stands on. It imports the standard library only, does no I/O and
// starts nothing.
package octopus
