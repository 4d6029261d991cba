package dispatch

import (
	"octopus/internal/octopus"
	"octopus/sdk/spec"
)

// maxRefused bounds what an agent's refusal says in a plugin's history, in bytes.
const maxRefused = 300

// refusedModule is the line in a plugin's history of an attempt whose agent would not load the module: its bytes or its
// signature are not what they should be. nil for any other attempt. A guest that says so of itself has run, so that it
// cannot write there.
func refusedModule(x octopus.Execution, o *outcome, reason *octopus.Reason) *octopus.PluginEvent {
	if reason == nil || reason.Code != spec.CodeUntrusted && reason.Code != spec.CodeDigestMismatch {
		return nil
	}
	if !x.StartedAt.IsZero() || o.Usage.GuestUS > 0 || o.ElapsedMS > 0 {
		return nil
	}
	return &octopus.PluginEvent{
		Plugin: x.Plugin, Version: x.PluginVersion, Digest: x.Digest, Kind: octopus.PluginModuleRefused,
		Actor: x.AgentName, Message: reason.Message[:min(len(reason.Message), maxRefused)],
	}
}
