"""What differs between machines: operating systems, installations, libraries, cores, processes."""
