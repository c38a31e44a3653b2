// Tap interfaces and bridges: ioctls whose argument is a structure with unions. Each function makes one call and returns its result.
#pragma once
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>

static inline struct ifreq martlet_interface_request(const char *name) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    return request;
}

/// Makes an open /dev/net/tun the tap interface of that name, with a virtio_net_hdr before each frame.
static inline int martlet_tap_attach(int tun, const char *name) {
    struct ifreq request = martlet_interface_request(name);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    return ioctl(tun, TUNSETIFF, &request);
}

/// Says that its reader takes blank checksums and large TCP segments.
static inline int martlet_tap_take_offloads(int tun) {
    return ioctl(tun, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN));
}

static inline int martlet_interface_set_mtu(int socket, const char *name, int mtu) {
    struct ifreq request = martlet_interface_request(name);
    request.ifr_mtu = mtu;
    return ioctl(socket, SIOCSIFMTU, &request);
}

static inline int martlet_interface_set_address(int socket, const char *name, const unsigned char *address) {
    struct ifreq request = martlet_interface_request(name);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, address, 6);
    return ioctl(socket, SIOCSIFHWADDR, &request);
}

static inline int martlet_interface_set_up(int socket, const char *name) {
    struct ifreq request = martlet_interface_request(name);
    request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
    return ioctl(socket, SIOCSIFFLAGS, &request);
}

static inline int martlet_bridge_add(int socket, const char *bridge, int interface_index) {
    struct ifreq request = martlet_interface_request(bridge);
    request.ifr_ifindex = interface_index;
    return ioctl(socket, SIOCBRADDIF, &request);
}
