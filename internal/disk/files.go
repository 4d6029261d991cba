package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// WriteFile writes a whole file whose bytes are on the disk when it returns; its name is only after SyncDir. On an
// error nothing of it stays.
func WriteFile(f Folder, name string, data []byte) error {
	file, err := f.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = f.Remove(name)
	}
	return err
}

// ReadFile reads a whole file.
func ReadFile(f Folder, name string) ([]byte, error) {
	file, err := f.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// RemoveAll removes a file, or a folder with all in it. That it is not there is no error.
func RemoveAll(f Folder, name string) error {
	entries, err := f.ReadDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if entry.IsDir() {
			err = RemoveAll(f, name+"/"+entry.Name())
		} else {
			err = f.Remove(name + "/" + entry.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err = f.Remove(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
