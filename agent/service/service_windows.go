package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"

	"octopus/internal/octopus"
)

// Run runs f, and speaks to the service manager meanwhile where that is who started this process.
func Run(ctx context.Context, f func(context.Context) error) error {
	service, err := svc.IsWindowsService()
	if err != nil || !service {
		return f(ctx)
	}
	h := &handler{ctx: ctx, run: f}
	if err := svc.Run("", h); err != nil { // a service of its own process needs no name
		return fmt.Errorf("talk to the service manager: %w", err)
	}
	return h.err
}

// handler runs f as a Windows service.
type handler struct {
	ctx context.Context
	run func(context.Context) error
	err error
}

// Execute is called by the service manager.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- h.run(ctx) }()
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	for {
		select {
		case h.err = <-done:
			status <- svc.Status{State: svc.StopPending}
			if h.err != nil && ctx.Err() == nil {
				return true, 1 // the manager starts it again; see install
			}
			return false, 0
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: 30_000}
				cancel()
			}
		}
	}
}

func install(c Config, w io.Writer) error {
	m, err := connectManager()
	if err != nil {
		return err
	}
	defer m.Disconnect()
	if err := removeService(m, c.Name); err != nil {
		return err
	}
	s, err := m.CreateService(c.Name, c.Executable, mgr.Config{
		DisplayName: "Octopus agent", Description: "Runs tasks for an Octopus server in a sandbox.",
		StartType: mgr.StartAutomatic, DelayedAutoStart: true,
	}, c.args()...)
	if err != nil {
		return octopus.Errorf(octopus.CodeUnavailable, "The service %s cannot be made: %v.", c.Name, err)
	}
	defer s.Close()
	again := mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: 10 * time.Second}
	if err := s.SetRecoveryActions([]mgr.RecoveryAction{again, again, again}, 24*3600); err != nil {
		return fmt.Errorf("set recovery: %w", err)
	}
	if err := s.SetRecoveryActionsOnNonCrashFailures(true); err != nil {
		return fmt.Errorf("set recovery: %w", err)
	}
	if err := s.Start(); err != nil {
		return octopus.Errorf(octopus.CodeUnavailable, "The service %s is there but does not start: %v.", c.Name, err)
	}
	fmt.Fprintf(w, "%s runs and starts with this machine. See it with: sc.exe query %s\n", c.Name, c.Name)
	return nil
}

func uninstall(name string, w io.Writer) error {
	m, err := connectManager()
	if err != nil {
		return err
	}
	defer m.Disconnect()
	s, err := m.OpenService(name)
	if err != nil {
		return octopus.Errorf(octopus.CodeNotFound, "There is no service %s on this machine.", name)
	}
	s.Close()
	if err := removeService(m, name); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s is removed. Its data is still there.\n", name)
	return nil
}

func connectManager() (*mgr.Mgr, error) {
	m, err := mgr.Connect()
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, octopus.Errorf(octopus.CodeDenied, "Services need an administrator. Open a terminal with \"Run as administrator\" and try again.")
	}
	if err != nil {
		return nil, fmt.Errorf("open service manager: %w", err)
	}
	return m, nil
}

// removeService stops and deletes a service, if there is one, and waits until its name is free.
func removeService(m *mgr.Mgr, name string) error {
	s, err := m.OpenService(name)
	if err != nil {
		return nil
	}
	if _, err := s.Control(svc.Stop); err == nil {
		for range 60 {
			if st, err := s.Query(); err != nil || st.State == svc.Stopped {
				break
			}
			time.Sleep(500 * time.Millisecond)
		}
	}
	err = s.Delete()
	s.Close()
	if err != nil && !errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
		return octopus.Errorf(octopus.CodeUnavailable, "The service %s cannot be removed: %v.", name, err)
	}
	for range 20 {
		s, err := m.OpenService(name)
		if err != nil {
			return nil
		}
		s.Close()
		time.Sleep(250 * time.Millisecond)
	}
	return octopus.Errorf(octopus.CodeUnavailable, "The old service %s does not go away. Close the Services window and try again.", name)
}
