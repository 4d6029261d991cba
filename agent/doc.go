// Package agent connects one machine to an Octopus server: it keeps the outbound WebSocket, takes offers, runs
// plugins in the sandbox pool, and hands back results that survive crashes on either side.
//
// The decisions are made in agent/core, a step function without goroutines, clocks or sockets. This package is
// the shell around it: the data folder, the connect loop, the workers, the log spool. docs/models/agent.md tells
// how the parts belong together, docs/protocol.md what travels between agent and server.
package agent
