// Package sim plays Octopus from a seed: servers, agents, people, network, disks and whatever goes wrong with them,
// in one thread, on virtual time. What decides is the product's own code: server/dispatch as it is, driven through
// dispatch.Driver, and agent/core. Around it are models of what a test must be able to break: the database with the
// contract of store.Step and store.Claim, the agent's journal with what it has not synced, the hub's connections and
// the guests.
//
// A history is a function of its seed. The scheduler owns the time and the queue of what is to come; work that the
// product does in goroutines runs as coroutines, which change places only where the model says so: around each
// write of the database. There a process may also crash, before the commit, or between it and the message.
//
// After each history the checker compares what people were told, what the database committed, what the journals
// held, and a witness that no process of the history can reach: the start, the host calls and the end of each guest.
package sim
