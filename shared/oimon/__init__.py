"""OI Monitor: open interest of Indian index options, read strike by strike."""
