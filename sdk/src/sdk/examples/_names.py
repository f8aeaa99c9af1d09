"""Common given and family names of many countries, to make people of who do not exist."""

from typing import Final

_GIVEN: Final = (
    "Aaliyah Adam Aisha Akira Alejandro Alice Amara Amir Ana Andrei Anika Anna Antonio Arjun "
    "Astrid Ben Bruno Camille Carlos Carmen Chen Chiara Chloe Clara Daniel David Diego Dmitri "
    "Elena Elif Emma Emre Erik Esther Eva Farah Fatima Felix Fiona Francisco Freya Gabriel George "
    "Grace Hana Hannah Hassan Helena Henry Hiroshi Hugo Ibrahim Ines Ingrid Isabel Ivan Jack "
    "Jamal James Jan Jasmine Javier Jing Joana Johan John Jonas Jose Julia Kaan Kamal Karim Kenji "
    "Kofi Lars Laura Layla Leila Leo Lina Linh Lucas Lucia Luis Magnus Malik Maria Marta Martin "
    "Mary Mateo Maya Mei Mia Michael Miguel Min Mira Mohamed Nadia Naomi Nia Nikolai Nina Noah "
    "Nora Oliver Olga Omar Oscar Pablo Paul Pedro Petra Pilar Priya Rafael Rania Ravi Rosa Ruth "
    "Sakura Samuel Sara Sean Sofia Stefan Sunita Tariq Thomas Tomas Umar Vera Victor Wei William "
    "Xin Yara Yasmin Yuki Yusuf Zara Zoe "
)
GIVEN_NAMES: Final = tuple(_GIVEN.split())

_FAMILY: Final = (
    "Abe Adeyemi Ahmed Ali Almeida Alvarez Andersen Anderson Andersson Bakker Banerjee Bauer "
    "Becker Bernard Bianchi Brown Carter Castro Chan Chen Choi Clark Cohen Cruz Davies Demir Diaz "
    "Dubois Edwards Eriksson Evans Fernandez Ferrari Fischer Flores Fontaine Garcia Gomez "
    "Gonzalez Green Gupta Haddad Hall Hansen Harris Hassan Hernandez Hill Hoang Hoffmann Horvat "
    "Huang Hughes Hussain Ito Ivanov Jackson Jansen Jensen Johansson Johnson Jones Kaya Kelly "
    "Khan Kim King Kowalski Kumar Larsen Le Lee Lewis Li Lima Lin Lopez Martin Martinez Mensah "
    "Meyer Miller Moore Morales Moreau Mori Morris Murphy Nakamura Nguyen Nielsen Novak Nowak "
    "Okafor Okonkwo Olsen Ortiz Osman Park Patel Pereira Perez Petrov Pham Popescu Ramirez Rao "
    "Reyes Ricci Rivera Roberts Robinson Rodriguez Rossi Roy Russo Saito Santos Sato Schmidt "
    "Schneider Schulz Shah Sharma Silva Singh Smith Sokolov Sousa Suzuki Takahashi Tanaka Taylor "
    "Thomas Thompson Torres Tran Turner Visser Walker Wang Watson Weber White Williams Wilson "
    "Wong Wright Wu Yamamoto Yang Yildiz Young Zhang Zhao Zhou "
)
FAMILY_NAMES: Final = tuple(_FAMILY.split())
