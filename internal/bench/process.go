package bench

import "time"

// Process is what the server's process cost while a load was on it. It is only there when the server runs on this
// machine.
type Process struct {
	PID            int     `json:"pid"`
	ResidentBefore int64   `json:"resident_before_bytes"`
	ResidentAfter  int64   `json:"resident_after_bytes"`
	CPUSeconds     float64 `json:"cpu_seconds"`
	CPUPercent     float64 `json:"cpu_percent"` // of one core
}

// meter measures a process from its start to its stop.
type meter struct {
	pid     int
	started time.Time
	before  int64
	cpu     time.Duration
}

// startMeter returns nil when the process cannot be measured.
func startMeter(pid int) *meter {
	if pid == 0 {
		return nil
	}
	resident, cpu, err := usage(pid)
	if err != nil {
		return nil
	}
	return &meter{pid: pid, started: time.Now(), before: resident, cpu: cpu}
}

func (m *meter) stop() *Process {
	if m == nil {
		return nil
	}
	resident, cpu, err := usage(m.pid)
	if err != nil {
		return nil
	}
	used := (cpu - m.cpu).Seconds()
	return &Process{
		PID: m.pid, ResidentBefore: m.before, ResidentAfter: resident,
		CPUSeconds: used, CPUPercent: 100 * used / max(time.Since(m.started).Seconds(), 1e-3),
	}
}
