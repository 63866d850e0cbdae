"""Networks that were trained elsewhere, under the names of torchvision or timm."""
