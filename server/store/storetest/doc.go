// Package storetest is the suite that every database of the store must pass, and opens stores for tests.
package storetest
