// Package e2e tests Octopus from outside: real server and agent processes, real sockets, a real browser.
package e2e
