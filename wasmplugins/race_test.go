//go:build race

package wasmplugins

const raceBuild = true
