package signing

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"octopus/internal/octopus"
)

// suffixNew marks the file of a key that a rotation has made and the database may not know yet.
const suffixNew = ".new"

// held is a private key as its file has it.
type held struct {
	private ed25519.PrivateKey
	adopted bool
}

// form is the JSON of the file.
type form struct {
	Seed    string `json:"seed"` // hex
	Adopted bool   `json:"adopted"`
}

func (h *held) public() ed25519.PublicKey {
	key, _ := h.private.Public().(ed25519.PublicKey) // it always is
	return key
}

// load reads a key; nil where there is no file.
func load(path string) (*held, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "The key that signs plugins cannot be read: %v. Is the file the server's own?", err)
	}
	var f form
	err = json.Unmarshal(raw, &f)
	seed, hexErr := hex.DecodeString(f.Seed)
	if err != nil || hexErr != nil || len(seed) != ed25519.SeedSize {
		return nil, octopus.Errorf(octopus.CodeInvalid, "The key that signs plugins is damaged: %s. Restore the file from a copy.", path)
	}
	return &held{private: ed25519.NewKeyFromSeed(seed), adopted: f.Adopted}, nil
}

// loadEither returns the private key of want: from the file, or from the one that an interrupted rotation left, which it
// puts into place. nil where neither has it.
func loadEither(path string, want ed25519.PublicKey) (*held, error) {
	key, err := load(path)
	if err != nil || key != nil && key.public().Equal(want) {
		return key, err
	}
	key, err = load(path + suffixNew)
	if err != nil || key == nil || !key.public().Equal(want) {
		return nil, err
	}
	if err := os.Rename(path+suffixNew, path); err != nil {
		return nil, fmt.Errorf("put the signing key into place: %w", err)
	}
	return key, nil
}

// save writes the whole file, or leaves the old one.
func (h *held) save(path string) error {
	raw, err := json.Marshal(form{Seed: hex.EncodeToString(h.private.Seed()), Adopted: h.adopted})
	if err != nil {
		return fmt.Errorf("encode signing key: %w", err)
	}
	if err := write(path, append(raw, '\n')); err != nil {
		return fmt.Errorf("write signing key: %w", err)
	}
	return nil
}

func write(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".signing-*") // 0600
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
