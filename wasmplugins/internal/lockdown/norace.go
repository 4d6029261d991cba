//go:build !race

package lockdown

const raceBuild = false
