package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"octopus/internal/disk"
	"octopus/internal/octopus"
)

// format is the version of the manifest. A later one may not be readable by this program.
const format = 1

// ManifestSuffix ends the name of a manifest, after the name of its backup.
const ManifestSuffix = ".json"

// Manifest describes a backup.
type Manifest struct {
	Format        int       `json:"format"`
	CreatedAt     time.Time `json:"created_at"` // of the state that it holds
	Version       string    `json:"octopus_version"`
	SchemaVersion int64     `json:"schema_version"`
	Generation    int64     `json:"generation"`
	Bytes         int64     `json:"size_bytes"`
	SHA256        string    `json:"sha256"`
}

// ReadManifest reads the manifest of the backup at path.
func ReadManifest(path string) (m Manifest, err error) {
	raw, err := os.ReadFile(path + ManifestSuffix)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(path); err != nil {
			return m, octopus.Errorf(octopus.CodeNotFound, "There is no backup %s.", path)
		}
		return m, octopus.Errorf(octopus.CodeInvalid,
			"%s has no manifest (%s), so nobody can say whether it is complete. Give --no-manifest to restore it all the same, after a check of the whole file.",
			path, filepath.Base(path)+ManifestSuffix)
	}
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return m, octopus.Errorf(octopus.CodeInvalid, "The manifest %s cannot be read.", path+ManifestSuffix)
	}
	if m.Format > format {
		return m, octopus.Errorf(octopus.CodeTooOld, "%s was made by a newer Octopus, %s. Install that version or a later one.", path, m.Version)
	}
	return m, nil
}

// save writes the manifest of the backup at path, durably.
func (m Manifest) save(path string) error {
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	temp := path + ManifestSuffix + partial
	defer os.Remove(temp)
	if err := writeSynced(temp, append(raw, '\n')); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return place(temp, path+ManifestSuffix)
}

// partial ends the names of files that are not complete.
const partial = ".partial"

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// place gives a synced file its name, durably.
func place(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	if err := disk.SyncDir(filepath.Dir(to)); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	return nil
}

// copySum copies until the end or ctx, and returns size and SHA-256. told, where given, learns of the bytes so far.
func copySum(ctx context.Context, to io.Writer, from io.Reader, told func(int64)) (n int64, sum string, err error) {
	h := sha256.New()
	buffer := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return n, "", err
		}
		k, err := from.Read(buffer)
		if k > 0 {
			if _, err := writeBoth(h, to, buffer[:k]); err != nil {
				return n, "", err
			}
			if n += int64(k); told != nil {
				told(n)
			}
		}
		if errors.Is(err, io.EOF) {
			return n, hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return n, "", err
		}
	}
}

func writeBoth(h hash.Hash, to io.Writer, p []byte) (int, error) {
	h.Write(p) // never fails
	return to.Write(p)
}

// matches compares what was read with what the manifest promises.
func (m Manifest) matches(path string, n int64, sum string) error {
	if n != m.Bytes || sum != m.SHA256 {
		return octopus.Errorf(octopus.CodeInvalid,
			"%s is not what its manifest says: %d bytes, and not the same SHA-256. It is damaged or was changed; use another backup.", path, n)
	}
	return nil
}
