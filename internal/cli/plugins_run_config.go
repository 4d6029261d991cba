package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"octopus/internal/octopus"
	"octopus/server/catalog"
)

// configuration is what --config says, with the defaults of the module's schema, as a server would hand it over. A
// module without a manifest gets it as it is.
func (r localRun) configuration(a *app, m module) (json.RawMessage, error) {
	var config json.RawMessage
	if r.config != "" {
		raw, err := readArgument(a.In, r.config)
		if err != nil {
			return nil, err
		}
		if config = raw; !json.Valid(config) {
			return nil, usagef("--config must be one JSON object such as '{\"region\": \"eu\"}'.")
		}
	}
	if m.manifest == nil {
		return config, nil
	}
	out, err := catalog.FitConfig(*m.manifest, config)
	var known *octopus.Error
	if errors.As(err, &known) {
		return nil, usagef("--config: %s", known.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("the manifest's config: %w", err)
	}
	return out, nil
}
