//go:build cgo

package lockdown

// cgoStacks: C gives each thread a stack of 8 MiB, and arenas to allocate in.
const cgoStacks = 256 << 20
