package server

import (
	"context"
	"fmt"
	"path/filepath"
)

// secretsKeyFile holds the keys of the secrets.
func (c Config) secretsKeyFile() string {
	if c.SecretsKeyFile != "" {
		return c.SecretsKeyFile
	}
	return filepath.Join(c.Data, "secrets.key")
}

// openVault says at once where nothing that is sealed can be read. Work that needs no secret runs all the same.
func (s *Server) openVault(ctx context.Context) error {
	if err := s.vault.Check(ctx); err != nil {
		s.cfg.Log.Error("secrets cannot be read", "err", err)
		return nil
	}
	if err := s.vault.Adopt(ctx); err != nil {
		return fmt.Errorf("users' parameters: %w", err)
	}
	return nil
}
