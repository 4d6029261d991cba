// Package process runs a program of this machine for a plugin: as a list of words, with an environment of its own,
// with all that it starts in one group that is killed together, and with a bound on its time and output.
//
// It contains nothing: what it runs has the rights of the agent's user. Who may ask for what is the broker's to decide.
package process
