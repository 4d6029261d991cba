package agent

import "golang.org/x/sys/windows"

// free is how many bytes this process may still write; false where the system does not say.
func (f *folder) free() (int64, bool) {
	path, err := windows.UTF16PtrFromString(f.path)
	if err != nil {
		return 0, false
	}
	var n uint64
	if windows.GetDiskFreeSpaceEx(path, &n, nil, nil) != nil {
		return 0, false
	}
	return int64(n), true
}
