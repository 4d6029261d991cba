// Package conformance holds golden requests and responses that every SDK must
// answer alike: cases/*.json, and one sample for each SDK. Its test compiles
// the samples and runs them in the sandbox that agents use.
package conformance
