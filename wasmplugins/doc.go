// Package wasmplugins is the sandbox: it checks, compiles and runs plugin
// modules in child processes that hold nothing worth stealing. It knows no
// network, no tasks and no database: whatever a plugin asks of the world goes
// to the Broker that the caller brings.
//
// Untrusted code never runs in the caller's process. A Pool starts runners
// (the same binary, "octopus runner"), which lock themselves down before the
// first instruction of a guest runs, and kills those that overrun. Everything
// that a runner sends is treated as hostile.
package wasmplugins
