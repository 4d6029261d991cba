//go:build !cgo

package lockdown

const cgoStacks = 0
