package lockdown

// limits are the job object's, which the pool made.
func (b *Box) limits() { b.note(HasJob, nil) }
