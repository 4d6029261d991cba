package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// Progress is told how much of a backup or a restore is done, between 0 and 1.
type Progress func(fraction float64)

// Write makes a backup of s at path, while everything goes on, and checks that it can be read. It never replaces a
// file: at path there is a complete backup or nothing.
func Write(ctx context.Context, s *store.Store, path, version string, told Progress) (m Manifest, err error) {
	if err := Free(path); err != nil {
		return m, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return m, octopus.Errorf(octopus.CodeDenied, "The folder of %s cannot be made.", path)
	}
	temp := path + partial
	os.Remove(temp) // of an earlier process that was killed
	defer os.Remove(temp)
	copied, err := s.CopyTo(ctx, temp, steps(told, 0, 0.6))
	if err != nil {
		return m, err
	}
	m = Manifest{Format: format, CreatedAt: copied.At, Version: version, SchemaVersion: copied.SchemaVersion, Generation: copied.Generation}
	if m.Bytes, m.SHA256, err = seal(ctx, temp, func(n int64) { tell(told, 0.6, 0.2, n, int64(copied.Pages)*4096) }); err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	if _, err := store.Inspect(ctx, temp, store.Quick); err != nil {
		return m, err
	}
	if err := place(temp, path); err != nil {
		return m, err
	}
	if err := m.save(path); err != nil {
		return m, errors.Join(err, os.Remove(path))
	}
	if told != nil {
		told(1)
	}
	return m, nil
}

// Free refuses a path at which something is.
func Free(path string) error {
	for _, p := range []string{path, path + ManifestSuffix} {
		if _, err := os.Lstat(p); err == nil {
			return octopus.Errorf(octopus.CodeConflict, "%s exists already, and a backup replaces nothing. Choose another file.", p)
		}
	}
	return nil
}

// seal syncs a file and sums it up.
func seal(ctx context.Context, path string, told func(int64)) (n int64, sum string, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Sync(); err != nil {
		return 0, "", err
	}
	return copySum(ctx, io.Discard, f, told)
}

// steps turns counted progress into a stretch of the whole.
func steps(told Progress, from, share float64) func(done, of int) {
	return func(done, of int) { tell(told, from, share, int64(done), int64(of)) }
}

func tell(told Progress, from, share float64, done, of int64) {
	if told != nil && of > 0 {
		told(from + share*min(float64(done)/float64(of), 1))
	}
}

// Save writes a backup that arrives from elsewhere to path, checks that it is whole, and adds its manifest.
func Save(ctx context.Context, from io.Reader, m Manifest, path string, told Progress) error {
	if err := Free(path); err != nil {
		return err
	}
	temp := path + partial
	defer os.Remove(temp)
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return octopus.Errorf(octopus.CodeDenied, "%s cannot be written: %v.", path, errors.Unwrap(err))
	}
	n, sum, err := copySum(ctx, file, from, func(n int64) { tell(told, 0, 1, n, m.Bytes) })
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if n != m.Bytes || sum != m.SHA256 {
		return octopus.Errorf(octopus.CodeUnavailable, "The backup did not arrive whole: %d of %d bytes. Try again.", n, m.Bytes)
	}
	if err := place(temp, path); err != nil {
		return err
	}
	return m.save(path)
}
