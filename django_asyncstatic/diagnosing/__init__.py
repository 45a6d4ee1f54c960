"""From a project to findings. Reads everything, changes nothing."""
