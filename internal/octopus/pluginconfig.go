package octopus

import (
	"encoding/json"
	"time"
)

// PluginConfig is what administrators filled in for a plugin, of any version: an object that each version's schema
// judges. It holds no secrets.
type PluginConfig struct {
	Plugin    string
	Config    json.RawMessage // nil: nothing
	UpdatedAt time.Time
	UpdatedBy string
}
