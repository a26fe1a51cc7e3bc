"""The inactive-key policy without clock and network: calendar, presets, a key's states."""
