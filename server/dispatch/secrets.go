package dispatch

import (
	"context"
	"encoding/json"
	"slices"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
)

// Vault opens what is sealed; *vault.Vault does.
type Vault interface {
	// Use reads a secret on behalf of an execution of a plugin.
	Use(ctx context.Context, name, plugin, execution string) (string, error)
	// ParamsFor returns those categories of a user's parameters that a plugin was granted. A user who is gone has none.
	ParamsFor(ctx context.Context, user string, categories []string) (map[string]json.RawMessage, error)
}

// bindings takes the names of stored secrets out of a grant: agents need not know them.
func bindings(caps *spec.Capabilities) map[string]string {
	if len(caps.Secrets) == 0 {
		return nil
	}
	out := make(map[string]string, len(caps.Secrets))
	caps.Secrets = slices.Clone(caps.Secrets)
	for i := range caps.Secrets {
		s := &caps.Secrets[i]
		out[s.Name] = s.Stored()
		s.Bind = ""
	}
	return out
}

// secretGet hands a secret to the agent that runs an execution, where the grant of that very module binds it. Whether
// the guest may see it is the agent's business: the grant is in the offer.
func (d *Dispatcher) secretGet(ctx context.Context, who caller, q callRequest) (any, error) {
	f, err := d.facts(ctx, who.digest)
	if err != nil {
		return nil, err
	}
	stored, granted := f.secrets[q.Name]
	switch {
	case f.refusal != "":
		return nil, &opError{"denied", f.refusal}
	case !granted:
		return nil, &opError{"denied", "The secret " + clip(q.Name, 64) + " is not granted to " + who.plugin + ". An administrator can grant it on the plugin's page."}
	case d.cfg.Vault == nil:
		return nil, &opError{"unavailable", "This server keeps no secrets."}
	}
	value, err := d.cfg.Vault.Use(ctx, stored, who.plugin, who.execution)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return nil, &opError{"not_found", "There is no value for the secret " + q.Name + ": an administrator removed it."}
	}
	return map[string]string{"value": value}, err
}
