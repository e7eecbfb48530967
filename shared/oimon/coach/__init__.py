"""What both coaches share: what they are asked, whom they ask, and what may be heard of the answer."""
