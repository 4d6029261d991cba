// Package chaos runs servers and agents as real processes, hurts them for a bounded time by a seeded plan, and has
// e2e/history judge what happened.
//
// Agents and clients reach the servers through a TCP proxy of ours that loses, holds, delays, cuts and throttles;
// processes are killed, frozen and stopped; disks are filled. Afterwards everything is healed, everything must end,
// and nothing may be left.
package chaos
