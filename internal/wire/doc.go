// Package wire holds the messages between agent and server, their version, and how they are encoded.
//
// Messages are JSON text frames {"t": type, …}. Unknown types and fields are skipped, so that both sides can be
// updated one after the other. Times never travel, only durations in milliseconds. docs/protocol.md tells the
// whole story.
package wire

// Version is the protocol's version, one integer. The server speaks to Version-2.
//
//	1  2026-11-22  the first: hello, heartbeat, offer, accept, go, result, logs, calls
//	2  2026-11-22  the same messages by HTTP long polls, where a WebSocket does not come through
//	3  2026-11-22  dry runs: an offer that is one says so, and a result says what it would have done
//	4  2026-11-22  frozen clocks and seeds in an offer; a result says of its fuel whether it may have been more
const Version = 4

// VersionDryRun is the first whose agents know of dry runs. One that does not would do it all.
const VersionDryRun = 3

// VersionRepeat is the first whose agents know of frozen clocks and seeds. One that does not would use the real ones.
const VersionRepeat = 4

// Subprotocol is the WebSocket subprotocol that both sides ask for.
const Subprotocol = "octopus.v1"

// Close codes of the WebSocket. None ends an agent for good.
const (
	CloseAuth       = 4001 // not who it says it is: try again in 5 to 10 minutes
	CloseSuperseded = 4003 // a newer session of the same agent took over: only this socket ends
	CloseDrain      = 4012 // the server stops: come back within the window it gave
	CloseTooSlow    = 4013 // the peer does not read: come back after the usual pause
	CloseTooOld     = 4026 // version no longer served: try again in 5 to 10 minutes
	CloseOverloaded = 4029 // come back after the usual pause
)

// Caps on the size of a frame, in bytes, checked before it is parsed.
const (
	MaxHeartbeat = 4 << 10
	MaxLog       = 96 << 10
	MaxMessage   = 256 << 10 // hello pages, offers and everything else
	MaxFrame     = 264 << 10 // calls and replies, the largest: a value of 256 KiB and what names it
	MaxInline    = 128 << 10 // a result above this travels by hash over HTTP
	MaxIntents   = 32 << 10  // of what a dry run would have done, beside a result
	MaxInvalid   = 64 << 10  // of what is no response, beside a result; base64 makes 88 KiB of it
)

// HelloPage is the most items that one hello carries.
const HelloPage = 500
